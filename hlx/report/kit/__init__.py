"""What pages are made of.

``numbers`` and ``tables``, drawings on ``svg`` with the ``colours`` of both schemes, ``thumbnails``,
``sections`` of all these, and the ``shell`` around them.
"""
