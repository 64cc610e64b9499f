-- Flights name planes and airports that the data lacks: they get a row of their own, marked as a stub.

INSERT INTO raw.planes (tailnum, stub)
SELECT DISTINCT tailnum, true FROM raw.flights WHERE tailnum IS NOT NULL
ON CONFLICT (tailnum) DO NOTHING;

INSERT INTO raw.airports (faa, stub)
SELECT DISTINCT dest, true FROM raw.flights
ON CONFLICT (faa) DO NOTHING;
