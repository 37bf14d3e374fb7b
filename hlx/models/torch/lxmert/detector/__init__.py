"""Faster R-CNN as LXMERT was trained with: from pixels to the 36 regions that LXMERT sees.

``resnet`` is the backbone, ``proposals`` finds boxes, ``roi_pool``, ``res5`` and ``winograd`` make features
of them, ``detections`` chooses; ``faster_rcnn`` is all of it.
"""
