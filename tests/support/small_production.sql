CREATE SCHEMA raw;
CREATE SCHEMA "Odd Schema";
CREATE EXTENSION citext;
CREATE TYPE raw.class AS ENUM ('economy', 'business', 'first');
CREATE DOMAIN raw.code AS varchar(12) CHECK (VALUE <> '');

CREATE FUNCTION raw.shout(text) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT upper($1) || '!' $$;

CREATE TABLE raw.passengers (
  passenger_id bigint PRIMARY KEY,
  name text NOT NULL,
  email text NOT NULL UNIQUE,
  phone varchar(40),
  date_of_birth date,
  passport raw.code UNIQUE,
  loyalty integer UNIQUE,
  token uuid NOT NULL,
  notes text,
  secret jsonb,
  nick char(10),
  hashed text,
  born_at timestamptz,
  initial text GENERATED ALWAYS AS (substr(name, 1, 1)) STORED
);
CREATE UNIQUE INDEX passengers_lower_email ON raw.passengers (lower(email));

CREATE TABLE raw.bookings (
  booking_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  passport raw.code REFERENCES raw.passengers (passport),
  loyalty bigint,
  class raw.class NOT NULL DEFAULT 'economy',
  seats text[],
  price numeric(10, 2),
  paid money,
  blob bytea,
  details jsonb,
  during tstzrange,
  waited interval,
  ratio double precision,
  tag citext,
  flag boolean,
  address inet,
  remark text
);

CREATE TABLE raw.events (id bigint, at date NOT NULL, kind text, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
CREATE TABLE raw.events_2025 PARTITION OF raw.events FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
CREATE TABLE raw.events_2026 PARTITION OF raw.events FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');

-- a cycle of foreign keys
CREATE TABLE raw.teams (team_id int PRIMARY KEY, captain int);
CREATE TABLE raw.players (player_id int PRIMARY KEY, team_id int REFERENCES raw.teams);
ALTER TABLE raw.teams ADD FOREIGN KEY (captain) REFERENCES raw.players DEFERRABLE INITIALLY DEFERRED;

CREATE TABLE "Odd Schema"."Odd ""Table"" " ("Odd "" Column" int PRIMARY KEY, "select" text);
CREATE TABLE raw.nothing ();
CREATE TABLE raw.empty (id int);
CREATE SEQUENCE raw.tickets START 1000;

CREATE VIEW raw.adults AS SELECT passenger_id FROM raw.passengers WHERE date_of_birth < '2000-01-01';
CREATE MATERIALIZED VIEW raw.b_counts AS SELECT class, count(*) AS n FROM raw.bookings GROUP BY class;
CREATE MATERIALIZED VIEW raw.a_total AS SELECT sum(n) AS n FROM raw.b_counts;
CREATE MATERIALIZED VIEW raw.unfilled AS SELECT 1 AS one WITH NO DATA;

CREATE FUNCTION raw.forbid() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no'; END $$;
COMMENT ON TABLE raw.bookings IS 'who flies';

INSERT INTO raw.passengers (passenger_id, name, email, phone, date_of_birth, passport, loyalty, token, notes, secret,
                            nick, hashed, born_at)
SELECT i, 'Canary-Name-' || i, 'Canary.Mail' || i || '@secret-host.example.net', '+1-555-' || 1000000 + i,
       date '1950-01-01' + i % 20000, 'QZ' || lpad((i * 7919 % 1000003)::text, 7, '0'), i * 3 - 500,
       md5(i::text)::uuid, E'canary-note\twith \\ odd\nbytes ' || i, jsonb_build_object('canary-json', i), 'nick' || i,
       'canary-hashed-' || i, timestamptz '1990-05-05 10:11:12.131415+02' + make_interval(days => i)
FROM generate_series(1, 2000) AS i;
INSERT INTO raw.passengers (passenger_id, name, email, token) VALUES (9001, '', 'not an address', gen_random_uuid());

INSERT INTO raw.bookings (passport, loyalty, class, seats, price, paid, blob, details, during, waited, ratio, tag, flag,
                          address, remark)
SELECT 'QZ' || lpad(((i % 2000 + 1) * 7919 % 1000003)::text, 7, '0'), (i % 2000 + 1) * 3 - 500,
       (ARRAY['economy', 'business', 'first'])[i % 3 + 1]::raw.class, ARRAY['1A', NULL, 'with "quote", \ and	tab'],
       i / 7.0, (i / 3.0)::numeric::money, decode(md5(i::text), 'hex'), '{"a": [1, null, "x\\ty"]}',
       tstzrange(now(), NULL), make_interval(secs => i * 1.5), i / 7.0::float8, 'Tag' || i, i % 2 = 0,
       '10.0.0.1', E'\\N\t\n\r\b\f\v \\. ' || i
FROM generate_series(1, 6000) AS i;
INSERT INTO raw.bookings DEFAULT VALUES;

INSERT INTO raw.events SELECT i, date '2025-06-01' + i % 400, 'canary-kind-' || i % 10 FROM generate_series(1, 3000) AS i;
INSERT INTO raw.teams SELECT i, NULL FROM generate_series(1, 10) AS i;
INSERT INTO raw.players SELECT i, i % 10 + 1 FROM generate_series(1, 100) AS i;
UPDATE raw.teams SET captain = team_id;
INSERT INTO "Odd Schema"."Odd ""Table"" " SELECT i, 'kept' || i FROM generate_series(1, 10) AS i;
INSERT INTO raw.nothing DEFAULT VALUES;
INSERT INTO raw.nothing DEFAULT VALUES;
SELECT nextval('raw.tickets'), nextval('raw.tickets');
REFRESH MATERIALIZED VIEW raw.b_counts;
REFRESH MATERIALIZED VIEW raw.a_total;
CREATE TRIGGER forbid BEFORE INSERT ON raw.bookings FOR EACH ROW EXECUTE FUNCTION raw.forbid();
CREATE ROLE analyst;
GRANT SELECT ON raw.bookings TO analyst;
ALTER DEFAULT PRIVILEGES IN SCHEMA raw GRANT SELECT ON TABLES TO analyst;
