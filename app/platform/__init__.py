"""What every capability stands on: settings, clock, database, files, problems, telemetry."""
