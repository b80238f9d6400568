"""Where the files of a turn are kept: the statements of their migration, never changed."""

FILE_TABLES = (
    """
    CREATE TABLE attachments (
        turn_key INTEGER NOT NULL,
        position INTEGER NOT NULL, -- counted from 1, in the order in which they were sent
        name TEXT NOT NULL,
        first_line INTEGER,
        last_line INTEGER,
        media_type TEXT, -- of a picture
        size_bytes INTEGER NOT NULL,
        sha256 TEXT NOT NULL,
        content BLOB NOT NULL, -- last, because it is long: text for text, bytes for a picture
        PRIMARY KEY (turn_key, position)
    )
    """,
    # A trigger, because whatever removes a turn must take its files along.
    """
    CREATE TRIGGER turn_files_removed AFTER DELETE ON turns BEGIN
        DELETE FROM attachments WHERE turn_key = old.turn_key;
    END
    """,
    "ALTER TABLE turns ADD COLUMN save_to TEXT /* a JSON object */",
    "ALTER TABLE turns ADD COLUMN saved_bytes INTEGER",
)
