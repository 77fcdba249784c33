// The C interface of libweftcpu.so, bound by dev.weft.runtime.cpu.WeftCpu. All functions but those
// of a device's steps may be called from any thread.
#ifndef WEFT_H
#define WEFT_H

#include <stdint.h>

#define WEFT_API __attribute__((visibility("default")))

// Raised whenever a function or a struct below changes; the binding refuses another number.
#define WEFT_ABI 11

// Element types of model files: the order of dev.weft.runtime.tensor.DType.
enum weft_dtype {
  WEFT_F32, WEFT_F16, WEFT_BF16, WEFT_Q8_0, WEFT_Q4_0, WEFT_Q4_1, WEFT_Q5_0, WEFT_Q5_1, WEFT_Q4_K,
  WEFT_Q5_K, WEFT_Q6_K, WEFT_DTYPE_COUNT
};

// How weights are held.
enum weft_packing {
  WEFT_AS_FILE,  // at their own bit width
  WEFT_W8A8,     // int8 per output
  WEFT_W4A8,     // LiquidQuant: int8 per output, then 4 bits in groups of 64 inputs
  WEFT_PACKING_COUNT
};

// Instruction sets, in the order of preference.
enum weft_isa {
  WEFT_ISA_NONE, WEFT_ISA_AVX2, WEFT_ISA_AVX512_VNNI, WEFT_ISA_AVX512_BF16, WEFT_ISA_AMX
};

struct weft_device;
struct weft_matrix;
struct weft_decoder;
struct weft_encoder;
struct weft_adapter;

WEFT_API int32_t weft_abi(void);

// The best instruction set of this machine and operating system.
WEFT_API int32_t weft_isa(void);

// A team of `threads` workers; the thread that calls steps is the first. They run where the caller
// may. A waiting worker spins `spins` times, then parks. Null when the instruction set is not there
// or a thread cannot start.
WEFT_API struct weft_device* weft_device_open(int32_t isa, int32_t threads, int32_t spins);
WEFT_API void weft_device_close(struct weft_device* device);

// Packs a row-major tensor of `outputs` rows and `inputs` columns into panels of 16 outputs, at its
// own bit width or as `packing` says. Null when memory is out, the shape does not fill the type's
// blocks, or a packing other than the file's has more than 65,536 inputs.
WEFT_API struct weft_matrix* weft_matrix_pack(
    int32_t dtype, const void* data, int64_t outputs, int64_t inputs, int32_t packing);
WEFT_API void weft_matrix_free(struct weft_matrix* matrix);

// The version of the packed layout, which is the same for every instruction set and does not depend
// on where it lies: raised with every change of what weft_matrix_pack writes, so that packed bytes
// kept in files are packed again.
#define WEFT_LAYOUT 5
WEFT_API int32_t weft_layout(void);

// The packed bytes, weft_matrix_bytes of them.
WEFT_API const void* weft_matrix_data(const struct weft_matrix* matrix);

// A matrix over packed bytes that were kept: borrowed, only read, at a multiple of 64. Null when
// memory is out or the arguments are not those of a matrix.
WEFT_API struct weft_matrix* weft_matrix_wrap(
    int32_t dtype, const void* data, int64_t outputs, int64_t inputs, int32_t packing);

// For mapped files, at a multiple of the page size; advice, which the system may ignore: to map in
// huge pages, and to begin reading what is not in memory.
WEFT_API void weft_map_huge(const void* at, int64_t bytes);
WEFT_API void weft_will_need(const void* at, int64_t bytes);

// Makes the calling thread give way to others.
WEFT_API void weft_unhurried(void);

// Bytes that weft_matrix_pack takes.
WEFT_API int64_t weft_matrix_bytes(int32_t dtype, int64_t outputs, int64_t inputs, int32_t packing);

// y[rows][outputs] = x[rows][inputs] * matrix^T by the same path as a step. Results as
// weft_decoder_step.
WEFT_API int32_t weft_matmul(
    struct weft_device* device, const struct weft_matrix* matrix, const float* x, int64_t rows,
    float* y);

// Bytes of a row of `inputs` elements.
int64_t weft_row_bytes(int32_t dtype, int64_t inputs);

// Dequantises `count` elements, a multiple of the type's block.
WEFT_API int32_t weft_dequantize(int32_t dtype, const void* data, int64_t count, float* out);

struct weft_decoder_config {
  int64_t vocabulary, layers, hidden, intermediate, heads, kv_heads, head_size;
  int64_t rope_dimensions, rope_interleaved, gelu, sliding_window;
  int64_t kv_int8, block_tokens, block_count, max_rows, max_sequences;
  double norm_epsilon, rope_theta;
  const float* rope_factors;  // [rope_dimensions / 2] or null
  const void* embedding;      // [vocabulary][hidden] of embedding_dtype, borrowed
  int64_t embedding_dtype;
  void* kv;  // where block 0 lies; borrowed, mapped as far as steps name blocks
};

// Matrices (borrowed) and vectors (copied) of a layer, or of the model (layer -1).
enum weft_role {
  WEFT_QUERY, WEFT_KEY, WEFT_VALUE, WEFT_ATTENTION_OUTPUT, WEFT_GATE, WEFT_UP, WEFT_DOWN,
  WEFT_OUTPUT, WEFT_ATTENTION_NORM, WEFT_FEED_FORWARD_NORM, WEFT_OUTPUT_NORM, WEFT_ROLE_COUNT
};

struct weft_low_rank {
  int64_t rank, inputs, outputs;
  int64_t a_dtype, b_dtype;
  const void *a, *b;
  double scale;
};

struct weft_step {
  int64_t rows, sequences, logit_rows;
  const int32_t* tokens;         // [rows]
  const int32_t* positions;      // [rows]
  const int32_t* row_offsets;    // [sequences + 1]
  const int32_t* blocks;         // block tables, one after the other
  const int32_t* block_offsets;  // [sequences + 1]
  const int32_t* logit_row;      // [logit_rows]: the rows whose logits are asked for
  float* logits;                 // [logit_rows][vocabulary]
  int32_t* argmax;               // [logit_rows]: the lowest index of the largest logit
  const struct weft_adapter* const* adapters;  // [sequences], null for one without; null for none
  int64_t workers;               // 1 up to the device's threads; results do not depend on it
  void* scratch;                 // weft_decoder_bytes for so many rows, at a multiple of 64; what is
                                 // in it neither matters nor stays
};

// A low-rank adapter of a decoder: W x + B (scale * (A x)) for some of its matrices. It may be made
// beside a step of the decoder. Null when memory is out.
WEFT_API struct weft_adapter* weft_adapter_create(int64_t layers);
// Sets what one matrix is changed by, once: A [rank][inputs] and B [outputs][rank], row-major, of
// float types; both are copied. -1 when memory is out.
WEFT_API int32_t weft_adapter_set(
    struct weft_adapter* adapter, int64_t layer, int32_t role, const struct weft_low_rank* change);
// Bytes that weft_adapter_set takes.
WEFT_API int64_t weft_adapter_bytes(const struct weft_low_rank* change);
WEFT_API void weft_adapter_free(struct weft_adapter* adapter);

// Null when memory is out.
WEFT_API struct weft_decoder* weft_decoder_create(
    struct weft_device* device, const struct weft_decoder_config* config);
WEFT_API int32_t weft_decoder_matrix(
    struct weft_decoder* decoder, int64_t layer, int32_t role, const struct weft_matrix* matrix);
// The vector of a norm, or the bias of a projection.
WEFT_API int32_t weft_decoder_vector(
    struct weft_decoder* decoder, int64_t layer, int32_t role, const float* values, int64_t count);
// 0; -1 out of memory; -2 a part is missing; -3 a token or block is out of range.
WEFT_API int32_t weft_decoder_step(struct weft_decoder* decoder, const struct weft_step* step);
// Between steps: moves the contents of blocks, or copies them out and in, `stride` bytes apart.
// 0; -3 a block or the stride is out of range.
WEFT_API int32_t weft_decoder_move(
    struct weft_decoder* decoder, const int32_t* from, const int32_t* to, int64_t count);
WEFT_API int32_t weft_decoder_save(
    struct weft_decoder* decoder, const int32_t* blocks, int64_t count, uint8_t* target,
    int64_t stride);
WEFT_API int32_t weft_decoder_load(
    struct weft_decoder* decoder, const int32_t* blocks, int64_t count, const uint8_t* source,
    int64_t stride);
// Bytes of scratch that a step of config->max_rows rows takes.
WEFT_API int64_t weft_decoder_bytes(
    struct weft_device* device, const struct weft_decoder_config* config);
WEFT_API void weft_decoder_free(struct weft_decoder* decoder);

struct weft_encoder_config {
  int64_t vocabulary, layers, hidden, intermediate, heads, positions;
  int64_t max_rows, max_texts, mean_pooling, normalize;
  double norm_epsilon;
  const void* token_embedding;  // [vocabulary][hidden], borrowed as the next two
  const void* position_embedding;
  const void* type_embedding;
  int64_t token_dtype, position_dtype, type_dtype;
};

enum weft_encoder_role {
  WEFT_E_QUERY, WEFT_E_KEY, WEFT_E_VALUE, WEFT_E_ATTENTION_OUTPUT, WEFT_E_UP, WEFT_E_DOWN,
  WEFT_E_ATTENTION_NORM, WEFT_E_OUTPUT_NORM, WEFT_E_EMBEDDING_NORM, WEFT_E_ROLE_COUNT
};

WEFT_API struct weft_encoder* weft_encoder_create(
    struct weft_device* device, const struct weft_encoder_config* config);
WEFT_API int32_t weft_encoder_matrix(
    struct weft_encoder* encoder, int64_t layer, int32_t role, const struct weft_matrix* matrix);
// The bias of a projection or a norm; the weight of a norm when `weight` is not 0.
WEFT_API int32_t weft_encoder_vector(
    struct weft_encoder* encoder, int64_t layer, int32_t role, int32_t weight, const float* values,
    int64_t count);
// out[texts][hidden]; row_offsets[texts + 1]; scratch as in a step. Results as weft_decoder_step.
WEFT_API int32_t weft_encoder_forward(
    struct weft_encoder* encoder, void* scratch, int64_t texts, const int32_t* row_offsets,
    const int32_t* tokens, float* out);
// Bytes of scratch that a pass of config->max_rows rows takes.
WEFT_API int64_t weft_encoder_bytes(
    struct weft_device* device, const struct weft_encoder_config* config);
WEFT_API void weft_encoder_free(struct weft_encoder* encoder);

#endif
