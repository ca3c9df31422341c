"""A search step as one CUDA graph, and parts of the network through torch.compile."""

import torch

# Calls before the capture. They create the momentum and Adam's moments, choose the algorithms of
# cuDNN and compile, none of which a graph can hold.
WARMUP = 3


class Replayed:
    """A step whose first WARMUP calls run as written; the next one captures it, and all from then on
    replay the capture.

    Its batches are copied to buffers whose addresses stay. The losses are the graph's own tensors:
    the next call overwrites them. Off CUDA nothing is captured: every call runs as written, on the
    same buffers.
    """

    def __init__(self, step):
        self.step, self.calls, self.buffers, self.graph = step, 0, None, None

    def __call__(self, *batches):
        self.load(batches)
        self.calls += 1
        if self.stream is None:
            return self.step(*self.buffers)
        if self.calls <= WARMUP:
            return self.warm_up()
        if self.graph is None:
            self.capture()
        self.graph.replay()
        return self.losses

    def load(self, batches):
        if self.buffers is None:
            self.buffers = [[tensor.clone() for tensor in batch] for batch in batches]
            on_cuda = self.buffers[0][0].is_cuda
            # Warm-up and capture share a stream, so that gradients are summed on the same one.
            self.stream = torch.cuda.Stream() if on_cuda else None
        for buffers, batch in zip(self.buffers, batches):
            for buffer, tensor in zip(buffers, batch):
                buffer.copy_(tensor)

    def warm_up(self):
        self.stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(self.stream):
            losses = self.step(*self.buffers)
        torch.cuda.current_stream().wait_stream(self.stream)
        return losses

    def capture(self):
        self.graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self.graph, stream=self.stream):
            self.losses = self.step(*self.buffers)


def compile_parts(network, part):
    """Compiles every "edge" or every "cell"; those of one structure and shape share their code.

    An edge is a graph of about 60 operations, a cell of about 900. Both are compiled once more for
    eval mode, and for passes without gradients.
    """
    torch._dynamo.config.recompile_limit = 256
    for cell in network.cells:
        for module in [cell] if part == "cell" else cell._ops:
            module.compile(dynamic=False)
