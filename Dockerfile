# docker build -t neurodeploy .
# docker run --rm -v "$PWD:/work" --user "$(id -u)" neurodeploy                 what `make run` does; writes ./out
# docker run --rm -v "$PWD:/work" --user "$(id -u)" neurodeploy fit gemma3-1b   any verb, on files of this folder
#
# From the usual index torch brings gigabytes of CUDA packages. With the address of torch's index of CPU wheels it does not:
# docker build --build-arg PIP_EXTRA_INDEX_URL=... -t neurodeploy .
FROM python:3.11-slim

ARG PIP_EXTRA_INDEX_URL=
COPY pyproject.toml constraints.txt README.md LICENSE /src/
COPY neurodeploy /src/neurodeploy
COPY partitioner /src/partitioner
COPY simulators /src/simulators
COPY targets /src/targets
RUN python -m pip install --no-cache-dir --constraint /src/constraints.txt "/src[mapping]"

# Any user may run it: caches lie in a home that all may write.
RUN mkdir -m 1777 /work /home/any
ENV HOME=/home/any USER=any
USER 1000
WORKDIR /work
ENTRYPOINT ["neurodeploy"]
CMD ["demo", "--out", "out"]
