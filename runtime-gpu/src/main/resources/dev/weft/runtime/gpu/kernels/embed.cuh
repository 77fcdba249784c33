// The rows of a table that the tokens name. A negative one, `~i`, is what the step before chose from
// its row `i` of logits; where that is none, this row is nobody's and may be any.
template <typename Format>
WEFT_DEVICE void embed(const unsigned char* table, long long rowBytes, const int* tokens,
                       const int* chosen, float* to, int width) {
  letNextBegin();
  waitForPrevious();
  int token = tokens[blockIdx.x];
  if (token < 0) {
    token = chosen[~token];
    token = token < 0 ? 0 : token;
  }
  const unsigned char* row = table + token * rowBytes;
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
              const int* tokens, const int* chosen, float* to, int width) {                    \
    embed<Format>(table, rowBytes, tokens, chosen, to, width);                                 \
  }
