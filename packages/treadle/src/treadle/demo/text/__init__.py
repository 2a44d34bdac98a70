"""`treadle demo text`: a small GPT learns to write Python's reference manual, character by character."""
