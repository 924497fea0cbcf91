"""The first part: a `Table` of named columns from a file of any kind, a frame or a mapping."""
