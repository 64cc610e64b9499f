-- How late each carrier leaves New York, by the hour in which it should have left.

CREATE TABLE marts.delays_by_carrier_hour AS
SELECT
    carrier,
    airlines.name AS carrier_name,
    hour,
    count(*) AS flights,
    count(*) FILTER (WHERE dep_time IS NULL) AS cancelled,
    round(avg(dep_delay), 2) AS mean_delay,
    percentile_disc(0.9) WITHIN GROUP (ORDER BY dep_delay) AS p90_delay,
    round(100.0 * count(*) FILTER (WHERE dep_delay > 15) / count(*), 2) AS late_percent
FROM raw.flights JOIN raw.airlines USING (carrier)
GROUP BY carrier, airlines.name, hour;

ALTER TABLE marts.delays_by_carrier_hour ADD PRIMARY KEY (carrier, hour);
