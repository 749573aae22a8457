"""A tiny TFDS builder for the test of the TFDS source."""

import numpy as np
import tensorflow_datasets as tfds


class TinySet(tfds.core.GeneratorBasedBuilder):
    """Six sentences."""

    VERSION = tfds.core.Version("1.0.0")

    def _info(self):
        features = tfds.features.FeaturesDict(
            {
                "sentence": tfds.features.Text(),
                "label": tfds.features.ClassLabel(names=["neg", "pos"]),
                "idx": tfds.features.Scalar(dtype=np.int32),
            }
        )
        return self.dataset_info_from_configs(features=features)

    def _split_generators(self, dl_manager):
        return {"train": self._generate_examples()}

    def _generate_examples(self):
        for i in range(6):
            yield i, {"sentence": f"größe {i}", "label": i % 2, "idx": i}
