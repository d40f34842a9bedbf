"""The court as a data set: Parquet tables, statistics, and a card that describes them."""
