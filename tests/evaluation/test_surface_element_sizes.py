"""The areas against MONAI's copy of DeepMind's table, and against geometry."""

import numpy as np
import pytest

from medarch.evaluation.surface_element_sizes import surface_element_sizes


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (0.7, 2.0, 5.0)])
def test_all_256_areas_equal_the_published_table(spacing):
    from monai.metrics.utils import create_table_neighbour_code_to_surface_area

    table, kernel = create_table_neighbour_code_to_surface_area(spacing)
    weights = kernel.numpy().astype(int)[0, 0]
    theirs = [
        sum(weights[bit & 1, bit >> 1 & 1, bit >> 2] for bit in range(8) if code >> bit & 1) for code in range(256)
    ]
    np.testing.assert_allclose(surface_element_sizes(spacing), table.numpy()[theirs], rtol=1e-5, atol=1e-6)


def test_all_16_contour_lengths_equal_the_published_table():
    from monai.metrics.utils import create_table_neighbour_code_to_contour_length

    table, kernel = create_table_neighbour_code_to_contour_length((0.7, 2.0))
    weights = kernel.numpy().astype(int)[0, 0]
    theirs = [sum(weights[bit & 1, bit >> 1] for bit in range(4) if code >> bit & 1) for code in range(16)]
    np.testing.assert_allclose(surface_element_sizes((0.7, 2.0)), table.numpy()[theirs], rtol=1e-5)


def test_a_mask_and_its_complement_have_one_surface():
    sizes = surface_element_sizes((1.0, 2.0, 3.0))
    np.testing.assert_allclose(sizes, sizes[::-1], rtol=1e-12)


def test_a_flat_face_has_the_area_of_its_voxels():
    sizes = surface_element_sizes((1.5, 2.0, 3.0))
    lower_i, lower_j, lower_k = 0b01010101, 0b00110011, 0b00001111
    assert sizes[[lower_i, lower_j, lower_k]] == pytest.approx([6.0, 4.5, 3.0])
    assert sizes[0] == sizes[255] == 0
