"""Games: which players there are, which of them are shown, and what the coalition is worth.

``stimuli`` are explained, ``regions`` are the players, ``backgrounds`` what hidden ones show, ``coalitions``
the ids and rows of those shown. ``game`` says what a game is, ``cached`` remembers what it answered,
``faithfulness`` asks what a map is worth, and ``scenes`` are stimuli of which all is known.
"""
