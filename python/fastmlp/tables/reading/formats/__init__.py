"""Files of tables: opened, recognized and read."""
