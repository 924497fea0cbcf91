"""The third part: networks are trained on the encoded rows, in one process or over ranks."""
