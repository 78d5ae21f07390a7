"""What is published is a function of what was accepted: events in any order, twice, at once, with crashes."""
