"""Files in and out: written whole or not at all, read with everything wrong named by file, row and column.

``files`` writes, ``hdf5`` keeps arrays under a hash, ``csv_jsonl`` reads records, ``value_tables`` NumPy's
files of coalition values, ``images`` pixels. ``checks`` refuses wrong input, ``messages`` says things in
words.
"""
