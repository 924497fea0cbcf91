"""The command line: train on a file, use a saved model, benchmark."""
