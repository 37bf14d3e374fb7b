"""The JAX ports of ``clip``, ``siglip`` and ``flava``, of the blocks in ``transformer``.

``ports`` builds them of a checkpoint. ``token_tables`` looks masked images up instead of building them,
``image_side`` runs image towers over coalitions, ``text_side`` reads captions, ``dual_encoder`` is the model
of both.
"""
