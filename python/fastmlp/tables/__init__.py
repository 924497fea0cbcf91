"""Tables: rows with numbers, text, dates and gaps in, answers in the target's own words out."""
