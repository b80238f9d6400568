"""What each owner's turns of the last days took in tokens, apart from the turns themselves.

It stays when a session is deleted: whoever has a limit cannot delete what counts. Of a reply that
was stopped, or whose engine tells no tokens, its texts count, four characters a token: nobody gets
replies for nothing. The owner of this machine has none, so that nothing is written for a turn over
stdio.
"""

SPENT_TABLES = (
    """
    CREATE TABLE spent (
        turn_key INTEGER PRIMARY KEY, -- no foreign key: the turn may be deleted
        owner TEXT NOT NULL,
        ended_at_utc TEXT NOT NULL,
        tokens INTEGER NOT NULL -- read, those from the cache left out, and written
    )
    """,
    "CREATE INDEX spent_of_owner ON spent (owner, ended_at_utc, tokens)",
    """
    CREATE TRIGGER turn_spent AFTER UPDATE OF status ON turns
    WHEN old.status = 'in_progress' AND new.status <> 'in_progress'
        AND (SELECT owner FROM sessions WHERE session_key = new.turn_key >> 20) <> 'local'
    BEGIN
        INSERT OR REPLACE INTO spent SELECT new.turn_key, owner, new.ended_at_utc,
            coalesce(
                new.prompt_tokens - coalesce(new.cached_tokens, 0),
                CASE new.reasoning || new.reply WHEN '' THEN 0
                    ELSE (length(new.message) + 3) / 4 END
            ) + coalesce(
                new.completion_tokens, (length(new.reasoning) + length(new.reply) + 3) / 4
            )
            FROM sessions WHERE session_key = new.turn_key >> 20;
        DELETE FROM spent
            WHERE owner = (SELECT owner FROM sessions WHERE session_key = new.turn_key >> 20)
            AND ended_at_utc < strftime('%Y-%m-%dT%H:%M:%fZ', new.ended_at_utc, '-2 days');
    END
    """,
)
