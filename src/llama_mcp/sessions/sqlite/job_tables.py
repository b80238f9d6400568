"""The tables of jobs over files."""

JOB_TABLES = (
    """
    CREATE TABLE jobs (
        -- One row for each turn that is a job; forks copy turns, and not what they were made of.
        turn_key INTEGER PRIMARY KEY,
        call TEXT NOT NULL, -- a digest of what was asked: the same call goes on with a job
        state TEXT NOT NULL -- a JSON object
    )
    """,
    """
    CREATE TABLE job_pieces (
        -- The replies of a job that is not complete; then its state has what came of them.
        turn_key INTEGER NOT NULL,
        level INTEGER NOT NULL,
        number INTEGER NOT NULL,
        digest TEXT NOT NULL, -- of all that was asked
        file TEXT NOT NULL,
        lines TEXT,
        was_cut_off INTEGER NOT NULL,
        reply TEXT NOT NULL,
        PRIMARY KEY (turn_key, level, number)
    ) WITHOUT ROWID
    """,
    """
    CREATE TRIGGER job_removed AFTER DELETE ON turns BEGIN
        DELETE FROM jobs WHERE turn_key = old.turn_key;
        DELETE FROM job_pieces WHERE turn_key = old.turn_key;
    END
    """,
)
