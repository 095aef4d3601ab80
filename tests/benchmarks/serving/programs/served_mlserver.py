"""MLServer's runtime for ONNX, as its documentation shows custom ones."""

import onnxruntime as ort
from mlserver import MLModel
from mlserver.codecs import NumpyCodec
from mlserver.types import InferenceResponse


class Onx(MLModel):
    async def load(self) -> bool:
        options = ort.SessionOptions()
        options.intra_op_num_threads = 1
        self.session = ort.InferenceSession(self.settings.parameters.uri, options)
        return True

    async def predict(self, payload):
        rows = NumpyCodec.decode_input(payload.inputs[0]).astype("float32")
        label = self.session.run(["label"], {"X": rows})[0]
        output = NumpyCodec.encode_output("label", label)
        return InferenceResponse(model_name=self.name, outputs=[output])
