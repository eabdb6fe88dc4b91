-- What is sent to the database, each in one round trip. The last three values of each are what the client saw last (epoch,
-- revision, change); the first column of each answer is whether the database is another one.

-- name: read
SELECT m.moved, i.key, i.rev, i.value, i.key_id
FROM (VALUES (%s::text[], %s::text, %s::text, %s::bigint, %s::bigint, %s::uuid)) AS v (keys, first, last, epoch, rev, seen)
CROSS JOIN LATERAL daemun.seen_1(v.epoch, v.rev, v.seen) AS m
LEFT JOIN daemun.item i ON i.value IS NOT NULL AND (i.key = ANY (v.keys) OR i.key >= v.first AND i.key < v.last)

-- name: list
SELECT m.moved, i.key
FROM (VALUES (%s::text, %s::text, %s::bigint, %s::bigint, %s::uuid)) AS v (first, last, epoch, rev, seen)
CROSS JOIN LATERAL daemun.seen_1(v.epoch, v.rev, v.seen) AS m
LEFT JOIN daemun.item i ON i.value IS NOT NULL AND i.key >= v.first AND i.key < v.last
ORDER BY i.key

-- name: changes
SELECT m.moved, m.epoch, m.rev, m.id,
    -- Whether all that came after it can be known.
    v.after >= m.cleaned_rev
        AND (v.after_id IS NULL OR EXISTS (SELECT 1 FROM daemun.change c WHERE c.rev = v.after AND c.id = v.after_id)),
    i.key, i.rev, i.deleted
FROM (VALUES (%s::text, %s::text, %s::bigint, %s::uuid, %s::integer, %s::bigint, %s::bigint, %s::uuid))
    AS v (first, last, after, after_id, most, epoch, rev, seen)
CROSS JOIN LATERAL daemun.seen_1(v.epoch, v.rev, v.seen) AS m
LEFT JOIN LATERAL daemun.changes_1(v.after, v.first, v.last, v.most) AS i ON true
ORDER BY i.rev, i.key

-- name: commit
SELECT t.outcome = 'moved', v.epoch, t.*
FROM (VALUES (%s::uuid, %s::text[], %s::bytea[], %s::integer[], %s::bigint[], %s::text, %s::uuid, %s::bigint, %s::bigint,
        %s::bigint, %s::bigint, %s::uuid))
    AS v (id, keys, new_values, key_ids, expected, name, holder, lock_epoch, token, epoch, rev, seen),
    daemun.commit_1(id, keys, new_values, key_ids, expected, name, holder, lock_epoch, token, epoch, rev, seen) AS t

-- name: encrypted_otherwise
SELECT m.moved, i.key
FROM (VALUES (%s::integer, %s::integer, %s::bigint, %s::bigint, %s::uuid)) AS v (key_id, most, epoch, rev, seen)
CROSS JOIN LATERAL daemun.seen_1(v.epoch, v.rev, v.seen) AS m
LEFT JOIN LATERAL (
    SELECT n.key FROM daemun.item n WHERE n.value IS NOT NULL AND n.key_id <> v.key_id LIMIT v.most
) AS i ON true

-- name: take
SELECT t.outcome = 'moved', t.*
FROM (VALUES (%s::text, %s::uuid, %s::text, %s::float8, %s::bigint, %s::bigint, %s::uuid))
    AS v (name, holder, owner, lease_s, epoch, rev, seen),
    daemun.take_1(name, holder, owner, lease_s, epoch, rev, seen) AS t

-- name: renew
SELECT false, t
FROM (VALUES (%s::text[], %s::uuid[], %s::float8[], %s::bigint, %s::bigint, %s::uuid))
    AS v (names, holders, lease_s, epoch, rev, seen),
    daemun.renew_1(names, holders, lease_s) AS t

-- name: release
SELECT false, daemun.release_1(name, holder)
FROM (VALUES (%s::text, %s::uuid, %s::bigint, %s::bigint, %s::uuid)) AS v (name, holder, epoch, rev, seen)

-- name: beat
-- Materialized: once, not for each node. What it writes is not seen by the same statement.
WITH beaten AS MATERIALIZED (
    SELECT m.moved, m.epoch, m.rev, v.changed_s, daemun.beat_1(v.id, format, seen_rev, about, proof, silent_s) AS done
    FROM (VALUES (%s::text, %s::integer, %s::bigint, %s::text, %s::text, %s::float8, %s::float8, %s::bigint, %s::bigint,
        %s::uuid)) AS v (id, format, seen_rev, about, proof, silent_s, changed_s, epoch, rev, seen)
    CROSS JOIN LATERAL daemun.seen_1(v.epoch, v.rev, v.seen) AS m
)
SELECT b.moved, b.epoch, b.rev, b.done, n.id, n.format, n.seen_rev, extract(epoch FROM n.beat)::float8,
    extract(epoch FROM n.since)::float8,
    extract(epoch FROM clock_timestamp())::float8 - extract(epoch FROM n.beat)::float8,  -- of infinity, too
    n.proof,
    CASE WHEN b.changed_s IS NULL OR n.about_at > clock_timestamp() - make_interval(secs => b.changed_s) THEN n.about END
FROM beaten b
LEFT JOIN daemun.node n ON true
ORDER BY n.id

-- name: nodes
SELECT m.moved, m.epoch, m.rev, NULL, n.id, n.format, n.seen_rev, extract(epoch FROM n.beat)::float8,
    extract(epoch FROM n.since)::float8,
    extract(epoch FROM clock_timestamp())::float8 - extract(epoch FROM n.beat)::float8,  -- of infinity, too
    n.proof, n.about
FROM (VALUES (%s::bigint, %s::bigint, %s::uuid)) AS v (epoch, rev, seen)
CROSS JOIN LATERAL daemun.seen_1(v.epoch, v.rev, v.seen) AS m
LEFT JOIN daemun.node n ON true
ORDER BY n.id

-- name: forget_node
WITH gone AS (DELETE FROM daemun.node WHERE id = %s)
SELECT false FROM (VALUES (%s::bigint, %s::bigint, %s::uuid)) AS v (epoch, rev, seen)

-- name: clean
-- seen_rev: tombstones that every node has seen. First the row that whoever changes something holds, too.
WITH v (seen_rev, epoch, rev, seen) AS (VALUES (%s::bigint, %s::bigint, %s::bigint, %s::uuid)),
held AS (
    UPDATE daemun.meta m SET cleaned_rev = greatest(m.cleaned_rev, v.seen_rev) FROM v RETURNING v.seen_rev
),
items AS (DELETE FROM daemun.item i USING held WHERE i.value IS NULL AND i.rev <= held.seen_rev),
changes AS (DELETE FROM daemun.change c USING held WHERE c.rev < held.seen_rev)
SELECT false FROM v

-- name: clock
SELECT false, extract(epoch FROM clock_timestamp())::float8
FROM (VALUES (%s::bigint, %s::bigint, %s::uuid)) AS v (epoch, rev, seen)
