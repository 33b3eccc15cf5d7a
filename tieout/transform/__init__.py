"""What the rows mean: dbt, run in this process."""
