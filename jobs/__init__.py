"""Jobs on AWS Glue: the same rules and results as the functions', spread over many machines by Spark."""
