"""The sweep file: what it may say, and everything that is wrong with one at once."""
