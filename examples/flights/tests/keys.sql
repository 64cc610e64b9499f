-- The keys that load.py adds once the rows are there, under the same names: made-up rows fit together by them.

ALTER TABLE raw.flights ADD PRIMARY KEY (year, month, day, carrier, flight, origin, sched_dep_time);
ALTER TABLE raw.passengers ADD PRIMARY KEY (passenger_id), ADD UNIQUE (email), ADD UNIQUE (passport_number);
ALTER TABLE raw.bookings ADD PRIMARY KEY (booking_id), ADD UNIQUE (reference);
ALTER TABLE raw.flights
    ADD FOREIGN KEY (carrier) REFERENCES raw.airlines,
    ADD FOREIGN KEY (tailnum) REFERENCES raw.planes,
    ADD FOREIGN KEY (origin) REFERENCES raw.airports,
    ADD FOREIGN KEY (dest) REFERENCES raw.airports;
ALTER TABLE raw.weather ADD FOREIGN KEY (origin) REFERENCES raw.airports;
ALTER TABLE raw.bookings
    ADD CONSTRAINT bookings_passenger_fkey FOREIGN KEY (passenger_id) REFERENCES raw.passengers,
    ADD CONSTRAINT bookings_flight_fkey
    FOREIGN KEY (year, month, day, carrier, flight, origin, sched_dep_time) REFERENCES raw.flights;
