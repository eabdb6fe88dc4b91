-- What a fleet agrees on. What was made once stays as it is: a later version adds to it (`database_schema`).

CREATE TABLE daemun.meta (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    -- The newest version of these tables, and the oldest that a client must know.
    format integer NOT NULL,
    oldest_format integer NOT NULL,
    -- Rises when tokens or values may have been forgotten: another server took over, or an older copy was restored.
    epoch bigint NOT NULL DEFAULT 1,
    sysid text NOT NULL,
    tli bigint NOT NULL,
    -- Of the last change. Whoever changes something holds this row, so revisions become visible in their order.
    rev bigint NOT NULL DEFAULT 0,
    -- Tombstones and changes up to here are gone: whoever saw less reads everything.
    cleaned_rev bigint NOT NULL DEFAULT 0,
    -- No lock is given until then: those who held one before notice it first.
    quiet_until timestamptz NOT NULL DEFAULT '-infinity'
);

CREATE TABLE daemun.item (
    key text COLLATE "C" PRIMARY KEY,
    rev bigint NOT NULL,
    value bytea,  -- encrypted; null: deleted (a tombstone)
    key_id integer,
    -- The highest token under which it was written.
    epoch bigint NOT NULL DEFAULT 0,
    token bigint NOT NULL DEFAULT 0
);
CREATE INDEX item_rev ON daemun.item (rev);

-- Which change each revision was: in an older copy that was restored, and changed since, the same numbers are others.
CREATE TABLE daemun.change (
    rev bigint PRIMARY KEY,
    id uuid NOT NULL UNIQUE
);

CREATE TABLE daemun.lease (
    name text COLLATE "C" PRIMARY KEY,
    holder uuid NOT NULL,
    owner text NOT NULL,
    epoch bigint NOT NULL,
    token bigint NOT NULL,
    expires timestamptz NOT NULL
);

CREATE TABLE daemun.node (
    id text COLLATE "C" PRIMARY KEY,
    format integer NOT NULL,
    seen_rev bigint NOT NULL,
    beat timestamptz NOT NULL,
    about text NOT NULL,
    -- When `about` changed last: others do not read again what they have.
    about_at timestamptz NOT NULL,
    -- Of this heartbeat: that a machine with the fleet's key wrote it. Without one it is no node.
    proof text NOT NULL DEFAULT '',
    -- Since when it beats without a pause.
    since timestamptz NOT NULL
);
