"""The mask that an AttentionGRU finds by itself, on every Keras backend."""

import keras
import numpy as np

from gru_zoo.layers.attention_gru import AttentionGRU


def test_the_mask_of_an_embedding_is_found_in_a_compiled_model():
    keras.utils.set_random_seed(3)
    ids, gate = keras.Input((None,), dtype="int32"), keras.Input((None,))
    vectors = keras.layers.Embedding(9, 4, mask_zero=True)(ids)
    model = keras.Model([ids, gate], AttentionGRU(5)(vectors, gate))
    model.compile("sgd", "mse")
    given = np.array([[3, 5, 0, 2, 0, 0], [1, 2, 3, 0, 4, 0]], "int32")
    gates = np.random.default_rng(5).uniform(size=(2, 6)).astype("float32")
    found = model.predict([given, gates], verbose=0)
    for row in range(2):
        real = given[row] != 0
        alone = model.predict([given[row, real][None], gates[row, real][None]], verbose=0)
        np.testing.assert_allclose(found[row], alone[0], atol=1e-6)
