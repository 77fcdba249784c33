// The largest of a row of logits.

#define LARGEST_THREADS 1024
#define LARGEST_AHEAD 8

// Its index, the lowest of equal ones, for every thread of the block that has the row; -1 where a
// logit is not a number or the largest is infinite. Once a kernel.
WEFT_DEVICE int largestOf(const float* row, int width) {
  __shared__ float values[LARGEST_THREADS / WARP];
  __shared__ int indices[LARGEST_THREADS / WARP];
  __shared__ int wrong[LARGEST_THREADS / WARP];
  __shared__ int found;
  float best = -INFINITE;
  int index = 0x7fffffff;
  int bad = 0;
  for (int first = threadIdx.x; first < width; first += LARGEST_AHEAD * LARGEST_THREADS) {
    float ahead[LARGEST_AHEAD];
#pragma unroll
    for (int j = 0; j < LARGEST_AHEAD; j++) {
      int i = first + j * LARGEST_THREADS;
      ahead[j] = i < width ? row[i] : -INFINITE;
    }
#pragma unroll
    for (int j = 0; j < LARGEST_AHEAD; j++) {
      bad |= ahead[j] != ahead[j];
      if (ahead[j] > best) {
        best = ahead[j];
        index = first + j * LARGEST_THREADS;
      }
    }
  }
  for (int distance = WARP / 2; distance > 0; distance /= 2) {
    float other = fromOtherLane(best, distance);
    int otherIndex = intFromOtherLane(index, distance);
    bad |= intFromOtherLane(bad, distance);
    if (other > best || (other == best && otherIndex < index)) {
      best = other;
      index = otherIndex;
    }
  }
  if (threadIdx.x % WARP == 0) {
    values[threadIdx.x / WARP] = best;
    indices[threadIdx.x / WARP] = index;
    wrong[threadIdx.x / WARP] = bad;
  }
  __syncthreads();
  if (threadIdx.x == 0) {
    for (int warp = 1; warp < LARGEST_THREADS / WARP; warp++) {
      bad |= wrong[warp];
      if (values[warp] > best || (values[warp] == best && indices[warp] < index)) {
        best = values[warp];
        index = indices[warp];
      }
    }
    found = bad || best == INFINITE || best == -INFINITE ? -1 : index;
  }
  __syncthreads();
  return found;
}
