// The rows of a table that the tokens name.
template <typename Format>
WEFT_DEVICE void embed(const unsigned char* table, long long rowBytes, const int* tokens, float* to,
                       int width) {
  letNextBegin();
  waitForPrevious();
  const unsigned char* row = table + tokens[blockIdx.x] * rowBytes;
  float* out = to + (long long)blockIdx.x * width;
  for (int unit = threadIdx.x; unit < width / 8; unit += ROW_THREADS) {
    float decoded[8];
    Format::decode(Format::load(row, unit), unit, decoded);
    for (int i = 0; i < 4; i++) {
      out[Format::left(unit) + i] = decoded[i];
      out[Format::right(unit) + i] = decoded[i + 4];
    }
  }
}

#define WEFT_EMBED(Format, name)                                                               \
  WEFT_KERNEL(ROW_THREADS, embed_##name, const unsigned char* table, long long rowBytes,       \
              const int* tokens, float* to, int width) {                                       \
    embed<Format>(table, rowBytes, tokens, to, width);                                         \
  }
