"""The command line: files of data, an experiment, its report."""
