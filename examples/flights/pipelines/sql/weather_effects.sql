-- What the weather at the airport does to departures.

CREATE TABLE marts.weather_effects AS
WITH observed AS (
    SELECT
        flights.origin,
        CASE
            WHEN weather.origin IS NULL THEN 'unknown'
            WHEN visib < 3 THEN 'fog'
            WHEN precip > 0.1 THEN 'heavy rain'
            WHEN precip > 0 THEN 'rain'
            WHEN wind_speed > 20 THEN 'wind'
            ELSE 'fair'
        END AS condition,
        dep_time,
        dep_delay
    FROM raw.flights LEFT JOIN raw.weather USING (origin, time_hour)
)
SELECT
    origin,
    condition,
    count(*) AS flights,
    round(avg(dep_delay), 2) AS mean_delay,
    round(100.0 * count(*) FILTER (WHERE dep_time IS NULL) / count(*), 2) AS cancelled_percent
FROM observed
GROUP BY origin, condition;

ALTER TABLE marts.weather_effects ADD PRIMARY KEY (origin, condition);
