"""What the engine tells while it works: see `dataops.infra.events.engine_events`."""
