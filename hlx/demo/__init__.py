"""The demo, offline: exact maps of embedded scenes, and a study of them with simulated participants.

``scenes`` says which scenes, ``exact_maps`` explains a few of them exactly, ``simulated_study`` goes from
clicks to research questions over many, and ``folder`` is where all of it is written.
"""
