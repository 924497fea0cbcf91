"""The second part: the kinds of columns and their encoders, which make numbers of a table."""
