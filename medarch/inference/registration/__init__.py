"""Registration of one pair without training: an affine start, then a velocity field, both optimised coarse to fine.

Everything here runs on tensors, on a CPU or a GPU; :func:`medarch.inference.registration.register_pair.register_pair`
is the whole of it, for arrays on grids of millimetres.
"""
