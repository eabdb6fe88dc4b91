-- Each function is one statement of a client, so that none that pauses holds a row that others need. Old and new clients
-- work side by side: one that takes or gives anything else has a number of its own, beside that of before. Tables that
-- are there get these anew with each version (`database_schema`).

-- Which server this is: its database (system identifier), and its timeline, which rises with each promotion. The one in
-- the name of the current WAL file changes at once, pg_control_checkpoint() only at a checkpoint.
CREATE OR REPLACE FUNCTION daemun.server_1(OUT sysid text, OUT tli bigint) LANGUAGE sql AS $$
    SELECT (SELECT system_identifier::text FROM pg_control_system()),
        ('x' || substr(pg_walfile_name(pg_current_wal_insert_lsn()), 1, 8))::bit(32)::bigint
$$;

-- Whether the database forgot something that a client saw, which was at the change seen_id last.
CREATE OR REPLACE FUNCTION daemun.is_behind_1(m daemun.meta, seen_epoch bigint, seen_rev bigint, seen_id uuid)
RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT (m.epoch, m.rev) < (seen_epoch, seen_rev) OR (m.sysid, m.tli) <> (s.sysid, s.tli)
        OR (m.epoch = seen_epoch AND seen_rev >= m.cleaned_rev AND seen_id IS NOT NULL
            AND NOT EXISTS (SELECT 1 FROM daemun.change c WHERE c.rev = seen_rev AND c.id = seen_id))
    FROM daemun.server_1() s
$$;

-- Whether a client has to look at the server before it goes on.
CREATE OR REPLACE FUNCTION daemun.is_moved_1(m daemun.meta, seen_epoch bigint, seen_rev bigint, seen_id uuid)
RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT m.epoch <> seen_epoch OR daemun.is_behind_1(m, seen_epoch, seen_rev, seen_id)
$$;

-- What a client needs to know of the whole with each answer.
CREATE OR REPLACE FUNCTION daemun.seen_1(seen_epoch bigint, seen_rev bigint, seen_id uuid)
RETURNS TABLE (moved boolean, epoch bigint, rev bigint, id uuid, cleaned_rev bigint) LANGUAGE sql STABLE ROWS 1 AS $$
    SELECT daemun.is_moved_1(m, seen_epoch, seen_rev, seen_id), m.epoch, m.rev,
        (SELECT c.id FROM daemun.change c WHERE c.rev = m.rev), m.cleaned_rev
    FROM daemun.meta m OFFSET 0
$$;

-- What changed after a revision, in the order of the changes; those of one revision all. By its index: with a limit that
-- is not known, PostgreSQL reads the whole table for it, for each node and each change.
CREATE OR REPLACE FUNCTION daemun.changes_1(after bigint, first_key text, last_key text, most integer)
RETURNS TABLE (key text, rev bigint, deleted boolean) LANGUAGE sql STABLE ROWS 10
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off AS $$
    SELECT i.key, i.rev, i.value IS NULL FROM daemun.item i
    WHERE i.rev > after AND i.key >= first_key AND i.key < last_key ORDER BY i.rev FETCH FIRST (most) ROWS WITH TIES
$$;

-- Begin a new epoch where it is not. Only the first of several clients does.
CREATE OR REPLACE FUNCTION daemun.step_1(seen_epoch bigint, seen_rev bigint, seen_id uuid, quiet_s float8)
RETURNS void LANGUAGE sql AS $$
    WITH stepped AS (
        UPDATE daemun.meta m SET epoch = greatest(m.epoch, seen_epoch) + 1, rev = greatest(m.rev, seen_rev) + 1,
            tli = s.tli, quiet_until = clock_timestamp() + make_interval(secs => quiet_s)
        FROM daemun.server_1() s
        WHERE daemun.is_behind_1(m, seen_epoch, seen_rev, seen_id) AND m.sysid = s.sysid AND m.tli <= s.tli
        RETURNING m.rev
    )
    INSERT INTO daemun.change (rev, id) SELECT rev, gen_random_uuid() FROM stepped
$$;

-- outcome: held, busy (by owner, for left_s), quiet (for left_s), moved. A token's number is the microsecond, or the next
-- number: it rises, too, where an older copy was restored and nobody has noticed it yet.
CREATE OR REPLACE FUNCTION daemun.take_1(
    lock_name text, new_holder uuid, new_owner text, lease_s float8, seen_epoch bigint, seen_rev bigint,
    seen_id uuid, OUT outcome text, OUT held_epoch bigint, OUT held_token bigint, OUT held_by text, OUT left_s float8
) LANGUAGE plpgsql AS $$
DECLARE
    m daemun.meta;
    l daemun.lease;
BEGIN
    SELECT * INTO STRICT m FROM daemun.meta FOR SHARE;
    IF daemun.is_moved_1(m, seen_epoch, seen_rev, seen_id) THEN
        outcome := 'moved';
        RETURN;
    END IF;
    IF m.quiet_until > clock_timestamp() THEN
        outcome := 'quiet';
        left_s := extract(epoch FROM m.quiet_until - clock_timestamp());
        RETURN;
    END IF;
    INSERT INTO daemun.lease AS held (name, holder, owner, epoch, token, expires)
        VALUES (lock_name, new_holder, new_owner, m.epoch, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint,
            clock_timestamp() + make_interval(secs => lease_s))
        ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, owner = excluded.owner, epoch = excluded.epoch,
            token = greatest(held.token + 1, excluded.token), expires = excluded.expires
        WHERE held.expires <= clock_timestamp() OR held.epoch < excluded.epoch
        RETURNING * INTO l;
    IF NOT FOUND THEN
        SELECT * INTO STRICT l FROM daemun.lease WHERE name = lock_name;
        -- The same one was sent again: the connection broke before the answer came.
        IF l.holder <> new_holder THEN
            outcome := 'busy';
            held_by := l.owner;
            left_s := extract(epoch FROM l.expires - clock_timestamp());
            RETURN;
        END IF;
    END IF;
    outcome := 'held';
    held_epoch := l.epoch;
    held_token := l.token;
END
$$;

-- Returns: the holders of those that are still held.
CREATE OR REPLACE FUNCTION daemun.renew_1(lock_names text[], holders uuid[], lease_s float8[]) RETURNS SETOF uuid LANGUAGE sql AS $$
    UPDATE daemun.lease l SET expires = clock_timestamp() + make_interval(secs => mine.lease_s)
    FROM daemun.meta m, unnest(lock_names, holders, lease_s) AS mine (name, holder, lease_s)
    WHERE l.name = mine.name AND l.holder = mine.holder AND l.epoch = m.epoch AND l.expires > clock_timestamp()
    RETURNING l.holder
$$;

-- Its row stays: tokens must not begin anew.
CREATE OR REPLACE FUNCTION daemun.release_1(lock_name text, old_holder uuid) RETURNS void LANGUAGE sql AS $$
    UPDATE daemun.lease SET expires = '-infinity' WHERE name = lock_name AND holder = old_holder
$$;

-- All of these, or none. expected: of each key its revision, 0: not there, null: any. change_id: the same again does
-- nothing, which is how a client finds out whether one was made whose answer did not come.
-- outcome: done (as change_rev), conflict, folder (about_key, other_key), lost, moved.
CREATE OR REPLACE FUNCTION daemun.commit_1(
    change_id uuid, keys text[], new_values bytea[], key_ids integer[], expected bigint[],
    lock_name text, lock_holder uuid, lock_epoch bigint, lock_token bigint, seen_epoch bigint, seen_rev bigint,
    seen_id uuid, OUT outcome text, OUT change_rev bigint, OUT about_key text, OUT other_key text
) LANGUAGE plpgsql AS $$
DECLARE
    m daemun.meta;
    deleted text[];
BEGIN
    SELECT * INTO STRICT m FROM daemun.meta FOR UPDATE;
    IF daemun.is_moved_1(m, seen_epoch, seen_rev, seen_id) THEN
        outcome := 'moved';
        RETURN;
    END IF;
    SELECT c.rev INTO change_rev FROM daemun.change c WHERE c.id = change_id;
    IF change_rev IS NOT NULL THEN
        outcome := 'done';
        RETURN;
    END IF;
    IF lock_name IS NOT NULL THEN
        PERFORM 1 FROM daemun.lease l WHERE l.name = lock_name AND l.holder = lock_holder
            AND (l.epoch, l.token) = (lock_epoch, lock_token) AND l.epoch = m.epoch AND l.expires > clock_timestamp()
            FOR SHARE;
        IF NOT FOUND OR EXISTS (
            SELECT 1 FROM daemun.item i WHERE i.key = ANY (keys) AND (i.epoch, i.token) > (lock_epoch, lock_token)
        ) THEN
            outcome := 'lost';
            RETURN;
        END IF;
    END IF;
    SELECT c.key INTO about_key FROM unnest(keys, expected) AS c (key, rev)
        LEFT JOIN daemun.item i ON i.key = c.key AND i.value IS NOT NULL
        WHERE c.rev <> coalesce(i.rev, 0) ORDER BY c.key LIMIT 1;
    IF about_key IS NOT NULL THEN
        outcome := 'conflict';
        RETURN;
    END IF;
    SELECT coalesce(array_agg(c.key), '{}') INTO deleted FROM unnest(keys, new_values) AS c (key, value)
        WHERE c.value IS NULL;
    -- Below a key ("/" to "0", the next sign) or above it: by the index, whatever else there is.
    SELECT c.key, i.key INTO about_key, other_key FROM unnest(keys, new_values) AS c (key, value)
        CROSS JOIN LATERAL (
            (SELECT b.key FROM daemun.item b WHERE b.key >= c.key || '/' AND b.key < c.key || '0'
                AND b.value IS NOT NULL AND b.key <> ALL (deleted) ORDER BY b.key LIMIT 1)
            UNION ALL
            SELECT a.key FROM generate_series(1, array_length(string_to_array(c.key, '/'), 1) - 1) AS n
                JOIN daemun.item a ON a.key = array_to_string((string_to_array(c.key, '/'))[:n], '/')
                WHERE a.value IS NOT NULL AND a.key <> ALL (deleted)
        ) AS i WHERE c.value IS NOT NULL ORDER BY c.key, i.key LIMIT 1;
    IF about_key IS NOT NULL THEN
        outcome := 'folder';
        RETURN;
    END IF;
    UPDATE daemun.meta SET rev = rev + 1 RETURNING rev INTO change_rev;
    INSERT INTO daemun.change (rev, id) VALUES (change_rev, change_id);
    INSERT INTO daemun.item AS i (key, rev, value, key_id, epoch, token)
        SELECT c.key, change_rev, c.value, c.key_id, coalesce(lock_epoch, 0), coalesce(lock_token, 0)
        FROM unnest(keys, new_values, key_ids) AS c (key, value, key_id)
        -- What was never there needs no tombstone.
        WHERE c.value IS NOT NULL OR EXISTS (SELECT 1 FROM daemun.item o WHERE o.key = c.key AND o.value IS NOT NULL)
        ON CONFLICT (key) DO UPDATE SET rev = excluded.rev, value = excluded.value, key_id = excluded.key_id,
            epoch = CASE WHEN lock_name IS NULL THEN i.epoch ELSE excluded.epoch END,
            token = CASE WHEN lock_name IS NULL THEN i.token ELSE excluded.token END;
    -- Of what a node reports of a change that is under way only one node wants to know, which looks for it: a hundred
    -- that are told of a hundred reports would look ten thousand times.
    IF EXISTS (SELECT 1 FROM unnest(keys) AS c (key) WHERE NOT starts_with(c.key, 'configuration/reports/')) THEN
        PERFORM pg_notify('daemun', change_rev::text);
    END IF;
    outcome := 'done';
END
$$;

-- That a node lives, what it has seen and which version of these tables it knows. silent_s: a longer pause is one.
CREATE OR REPLACE FUNCTION daemun.beat_1(
    node_id text, node_format integer, node_seen_rev bigint, node_about text, node_proof text, silent_s float8
) RETURNS void LANGUAGE sql AS $$
    INSERT INTO daemun.node AS n (id, format, seen_rev, beat, about, about_at, proof, since)
        VALUES (node_id, node_format, node_seen_rev, clock_timestamp(), node_about, clock_timestamp(), node_proof,
            clock_timestamp())
        ON CONFLICT (id) DO UPDATE SET format = excluded.format, seen_rev = excluded.seen_rev, beat = excluded.beat,
            about = excluded.about, proof = excluded.proof,
            about_at = CASE WHEN n.about = excluded.about THEN n.about_at ELSE excluded.beat END,
            since = CASE WHEN NOT isfinite(n.beat) OR NOT isfinite(n.since) OR n.since > excluded.beat
                OR excluded.beat - n.beat > make_interval(secs => silent_s) THEN excluded.beat ELSE n.since END
$$;
