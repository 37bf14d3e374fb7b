"""LXMERT: the ``scorer``, its ``network`` of ``layers``, and the ``region_features`` that its ``detector``
finds.
"""
