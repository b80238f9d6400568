"""Whose each session is, and how many each owner has.

An older llama-mcp that has the file open begins sessions of the default owner; the triggers are the
file's, so that they count these too.
"""

OWNER_TABLES = (
    # callers.py has the default, too; a column cannot be told what a program thinks.
    "ALTER TABLE sessions ADD COLUMN owner TEXT NOT NULL DEFAULT 'local'",
    # The list of one owner's sessions, in order.
    "CREATE INDEX sessions_of_owner ON sessions (owner, last_change)",
    """
    CREATE TABLE owners (
        -- kept, so that a list counts nothing, and a watcher sees whose list has changed
        owner TEXT PRIMARY KEY,
        sessions INTEGER NOT NULL,
        newest_key INTEGER NOT NULL -- of the last session that was begun, deleted or not
    ) WITHOUT ROWID
    """,
    """
    INSERT INTO owners
        SELECT 'local', sessions, (SELECT coalesce(max(session_key), 0) FROM sessions) FROM totals
    """,
    """
    CREATE TRIGGER owner_session_added AFTER INSERT ON sessions BEGIN
        INSERT OR IGNORE INTO owners VALUES (new.owner, 0, 0);
        UPDATE owners SET sessions = sessions + 1, newest_key = new.session_key
            WHERE owner = new.owner;
    END
    """,
    """
    CREATE TRIGGER owner_session_removed AFTER DELETE ON sessions BEGIN
        UPDATE owners SET sessions = sessions - 1 WHERE owner = old.owner;
    END
    """,
)
