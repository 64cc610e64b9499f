-- The schema `raw`: the files of the lake as tables. The keys of large
-- tables, and all foreign keys, are added by load.py once the rows are there.

CREATE TABLE IF NOT EXISTS raw.airlines (
    carrier text PRIMARY KEY,
    name text NOT NULL
);

CREATE TABLE IF NOT EXISTS raw.airports (
    faa text PRIMARY KEY,
    name text,
    lat double precision,
    lon double precision,
    alt integer,
    tz smallint,
    dst text,
    tzone text,
    stub boolean NOT NULL DEFAULT false
);

CREATE TABLE IF NOT EXISTS raw.planes (
    tailnum text PRIMARY KEY,
    year smallint,
    type text,
    manufacturer text,
    model text,
    engines smallint,
    seats smallint,
    speed smallint,
    engine text,
    stub boolean NOT NULL DEFAULT false
);

CREATE TABLE IF NOT EXISTS raw.weather (
    origin text NOT NULL,
    year smallint NOT NULL,
    month smallint NOT NULL,
    day smallint NOT NULL,
    hour smallint NOT NULL,
    temp double precision,
    dewp double precision,
    humid double precision,
    wind_dir double precision,
    wind_speed double precision,
    wind_gust double precision,
    precip double precision,
    pressure double precision,
    visib double precision,
    time_hour timestamptz NOT NULL,
    PRIMARY KEY (origin, time_hour)
);

CREATE TABLE IF NOT EXISTS raw.flights (
    year smallint NOT NULL,
    month smallint NOT NULL,
    day smallint NOT NULL,
    dep_time smallint,
    sched_dep_time smallint NOT NULL,
    dep_delay smallint,
    arr_time smallint,
    sched_arr_time smallint NOT NULL,
    arr_delay smallint,
    carrier text NOT NULL,
    flight integer NOT NULL,
    tailnum text,
    origin text NOT NULL,
    dest text NOT NULL,
    air_time smallint,
    distance smallint NOT NULL,
    hour smallint NOT NULL,
    minute smallint NOT NULL,
    time_hour timestamptz NOT NULL
);

CREATE TABLE IF NOT EXISTS raw.passengers (
    passenger_id integer NOT NULL,
    name text NOT NULL,
    email text NOT NULL,
    phone text NOT NULL,
    date_of_birth date NOT NULL,
    passport_number text NOT NULL
);

CREATE TABLE IF NOT EXISTS raw.bookings (
    booking_id integer NOT NULL,
    reference text NOT NULL,
    passenger_id integer NOT NULL,
    year smallint NOT NULL,
    month smallint NOT NULL,
    day smallint NOT NULL,
    carrier text NOT NULL,
    flight integer NOT NULL,
    origin text NOT NULL,
    sched_dep_time smallint NOT NULL,
    seat text NOT NULL,
    price_cents integer NOT NULL,
    booked_at timestamp NOT NULL,
    note text
);
