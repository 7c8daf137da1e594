"""Networks that register: a pair of images becomes the transform between them.

Every one takes one tensor ``(B, 2·C, *grid)``, the channels of the fixed image before those of the moving one, of any
size. In evaluation it returns the displacement ``(B, D, *grid)`` as :mod:`medarch.networks.motion` has it: in voxels,
from the fixed grid into the moving image. In training it returns a
:class:`~medarch.networks.register.registration_output.RegistrationOutput`.
"""
