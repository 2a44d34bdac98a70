"""Treadle inside of other frameworks; each module here is imported only where its framework is used."""
