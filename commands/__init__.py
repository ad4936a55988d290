"""The commands of the command line: with run_pipeline.py the only place that knows all wings."""
