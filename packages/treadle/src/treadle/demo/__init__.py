"""`treadle demo`: a small network learns to read handwritten digits, through all five packages."""
