"""A file that somebody uploaded to readings, a quarantine and what has to be said about both."""
