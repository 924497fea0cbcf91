"""What a user chooses for a fit: optimizers, schedules, a loss in Python."""
