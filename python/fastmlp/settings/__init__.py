"""Settings of a fit: optimizers, schedules, custom losses."""
