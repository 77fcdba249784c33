// Sixteen lanes of float or int32, the same on every instruction set: one register of AVX-512, two
// of AVX2. Every function below rounds alike on both, so that a kernel written with them gives the
// same bits everywhere. Multiply-adds are explicit; the compiler contracts none.
#ifndef SIMD_H
#define SIMD_H

#include <immintrin.h>
#include <stdint.h>

#define INLINE static inline __attribute__((always_inline))
#define LANES 16

#if defined(__AVX512VNNI__)

typedef __m512 f32x16;
typedef __m512i i32x16;

INLINE f32x16 f_set(float x) { return _mm512_set1_ps(x); }
INLINE f32x16 f_load(const float* p) { return _mm512_loadu_ps(p); }
INLINE void f_store(float* p, f32x16 x) { _mm512_storeu_ps(p, x); }
INLINE f32x16 f_add(f32x16 x, f32x16 y) { return _mm512_add_ps(x, y); }
INLINE f32x16 f_sub(f32x16 x, f32x16 y) { return _mm512_sub_ps(x, y); }
INLINE f32x16 f_mul(f32x16 x, f32x16 y) { return _mm512_mul_ps(x, y); }
INLINE f32x16 f_div(f32x16 x, f32x16 y) { return _mm512_div_ps(x, y); }
INLINE f32x16 f_fma(f32x16 x, f32x16 y, f32x16 z) { return _mm512_fmadd_ps(x, y, z); }
INLINE f32x16 f_max(f32x16 x, f32x16 y) { return _mm512_max_ps(x, y); }
INLINE f32x16 f_min(f32x16 x, f32x16 y) { return _mm512_min_ps(x, y); }
INLINE f32x16 f_abs(f32x16 x) { return _mm512_abs_ps(x); }
INLINE f32x16 f_load_f16(const uint16_t* p) {
  return _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i*)p));
}
INLINE void f_store_f16(uint16_t* p, f32x16 x) {
  _mm256_storeu_si256((__m256i*)p, _mm512_cvtps_ph(x, _MM_FROUND_TO_NEAREST_INT));
}
INLINE f32x16 f_load_bf16(const uint16_t* p) {
  __m512i x = _mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i*)p));
  return _mm512_castsi512_ps(_mm512_slli_epi32(x, 16));
}
// Nearest, ties to even; numbers only.
INLINE void f_store_bf16(uint16_t* p, f32x16 x) {
  __m512i bits = _mm512_castps_si512(x);
  __m512i odd = _mm512_and_si512(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(1));
  bits = _mm512_add_epi32(bits, _mm512_add_epi32(odd, _mm512_set1_epi32(0x7fff)));
  _mm256_storeu_si256((__m256i*)p, _mm512_cvtepi32_epi16(_mm512_srli_epi32(bits, 16)));
}
INLINE f32x16 f_load_u8(const uint8_t* p) {
  return _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i*)p)));
}
INLINE f32x16 f_load_i8(const uint8_t* p) {
  return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128((const __m128i*)p)));
}
INLINE f32x16 f_from_i(i32x16 x) { return _mm512_cvtepi32_ps(x); }
// Nearest, ties to even.
INLINE i32x16 i_round(f32x16 x) { return _mm512_cvtps_epi32(x); }
INLINE i32x16 i_set(int32_t x) { return _mm512_set1_epi32(x); }
INLINE i32x16 i_add(i32x16 x, i32x16 y) { return _mm512_add_epi32(x, y); }
INLINE i32x16 i_sub(i32x16 x, i32x16 y) { return _mm512_sub_epi32(x, y); }
INLINE i32x16 i_shift_left(i32x16 x, int bits) { return _mm512_slli_epi32(x, bits); }
INLINE i32x16 i_high_halves(i32x16 x) {
  return _mm512_and_si512(x, _mm512_set1_epi32((int32_t)0xffff0000));
}
INLINE f32x16 f_of_bits(i32x16 x) { return _mm512_castsi512_ps(x); }
// Of the 16-bit halves of lanes, each by itself.
INLINE i32x16 i_multiply_16(i32x16 x, i32x16 y) { return _mm512_mullo_epi16(x, y); }
INLINE i32x16 i_load_u8(const uint8_t* p) {
  return _mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i*)p));
}
INLINE i32x16 i_load(const void* p) { return _mm512_loadu_si512(p); }
INLINE void i_store(void* p, i32x16 x) { _mm512_storeu_si512(p, x); }
INLINE i32x16 i_low_nibbles(i32x16 x) { return _mm512_and_si512(x, _mm512_set1_epi8(15)); }
INLINE i32x16 i_high_nibbles(i32x16 x) {
  return _mm512_and_si512(_mm512_srli_epi16(x, 4), _mm512_set1_epi8(15));
}
INLINE i32x16 i_or(i32x16 x, i32x16 y) { return _mm512_or_si512(x, y); }
// Of each byte its `bits` bits from `from` on, as bits 4 and up.
INLINE i32x16 i_high_bits(i32x16 x, int bits, int from) {
  x = from < 4 ? _mm512_slli_epi16(x, 4 - from) : _mm512_srli_epi16(x, from - 4);
  return _mm512_and_si512(x, _mm512_set1_epi8(bits == 1 ? 0x10 : 0x30));
}
// acc + the dot product of 4 unsigned bytes a lane with the same 4 signed bytes for all lanes.
INLINE i32x16 i_dot(i32x16 acc, i32x16 weights, const int8_t* values) {
  return _mm512_dpbusd_epi32(acc, weights, _mm512_set1_epi32(*(const int32_t*)values));
}
#if defined(__AVX512BF16__)
// acc + the dot product of a lane's two bfloat16 with the same two values for all lanes, rounded as
// the processor does it.
INLINE f32x16 f_dot_bf16(f32x16 acc, i32x16 weights, const void* values) {
  int32_t pair;
  __builtin_memcpy(&pair, values, sizeof(pair));
  return _mm512_dpbf16_ps(acc, (__m512bh)weights, (__m512bh)_mm512_set1_epi32(pair));
}
#endif
INLINE void i_store_i8(int8_t* p, i32x16 x) {
  _mm_storeu_si128((__m128i*)p, _mm512_cvtepi32_epi8(x));
}
INLINE i32x16 i_shift_right(i32x16 x, int bits) { return _mm512_srai_epi32(x, bits); }
INLINE __m256 eight_digits(__m256i high, __m256i low, double x) {
  __m512d sum = _mm512_sub_pd(_mm512_cvtepi32_pd(low), _mm512_set1_pd(x));
  return _mm512_cvtpd_ps(_mm512_fmadd_pd(_mm512_cvtepi32_pd(high), _mm512_set1_pd(128), sum));
}
// 128 * high + low - x, rounded once.
INLINE f32x16 f_from_digits(i32x16 high, i32x16 low, double x) {
  __m256 first = eight_digits(_mm512_castsi512_si256(high), _mm512_castsi512_si256(low), x);
  __m256 second =
      eight_digits(_mm512_extracti64x4_epi64(high, 1), _mm512_extracti64x4_epi64(low, 1), x);
  return _mm512_insertf32x8(_mm512_castps256_ps512(first), second, 1);
}
// x * 2^n, n within the exponents of normal numbers.
INLINE f32x16 f_scale(f32x16 x, i32x16 n) {
  return _mm512_castsi512_ps(
      _mm512_add_epi32(_mm512_castps_si512(x), _mm512_slli_epi32(n, 23)));
}
// x in the lanes from..until-1, `other` in the others.
INLINE f32x16 f_within(f32x16 x, int64_t from, int64_t until, f32x16 other) {
  uint32_t below = until >= 16 ? 0xffff : until <= 0 ? 0 : (1u << until) - 1;
  uint32_t before = from >= 16 ? 0xffff : from <= 0 ? 0 : (1u << from) - 1;
  return _mm512_mask_mov_ps(other, (__mmask16)(below & ~before), x);
}
INLINE f32x16 f_zero_where_less(f32x16 x, f32x16 y, f32x16 limit) {
  return _mm512_maskz_mov_ps(_mm512_cmp_ps_mask(y, limit, _CMP_NLT_UQ), x);
}
INLINE __m256 fold_low(f32x16 x) { return _mm512_castps512_ps256(x); }
INLINE __m256 fold_high(f32x16 x) { return _mm512_extractf32x8_ps(x, 1); }

#else

typedef struct { __m256 a, b; } f32x16;
typedef struct { __m256i a, b; } i32x16;

#define BOTH(type, expression_a, expression_b) ((type){expression_a, expression_b})

INLINE f32x16 f_set(float x) { return BOTH(f32x16, _mm256_set1_ps(x), _mm256_set1_ps(x)); }
INLINE f32x16 f_load(const float* p) {
  return BOTH(f32x16, _mm256_loadu_ps(p), _mm256_loadu_ps(p + 8));
}
INLINE void f_store(float* p, f32x16 x) {
  _mm256_storeu_ps(p, x.a);
  _mm256_storeu_ps(p + 8, x.b);
}
INLINE f32x16 f_add(f32x16 x, f32x16 y) {
  return BOTH(f32x16, _mm256_add_ps(x.a, y.a), _mm256_add_ps(x.b, y.b));
}
INLINE f32x16 f_sub(f32x16 x, f32x16 y) {
  return BOTH(f32x16, _mm256_sub_ps(x.a, y.a), _mm256_sub_ps(x.b, y.b));
}
INLINE f32x16 f_mul(f32x16 x, f32x16 y) {
  return BOTH(f32x16, _mm256_mul_ps(x.a, y.a), _mm256_mul_ps(x.b, y.b));
}
INLINE f32x16 f_div(f32x16 x, f32x16 y) {
  return BOTH(f32x16, _mm256_div_ps(x.a, y.a), _mm256_div_ps(x.b, y.b));
}
INLINE f32x16 f_fma(f32x16 x, f32x16 y, f32x16 z) {
  return BOTH(f32x16, _mm256_fmadd_ps(x.a, y.a, z.a), _mm256_fmadd_ps(x.b, y.b, z.b));
}
INLINE f32x16 f_max(f32x16 x, f32x16 y) {
  return BOTH(f32x16, _mm256_max_ps(x.a, y.a), _mm256_max_ps(x.b, y.b));
}
INLINE f32x16 f_min(f32x16 x, f32x16 y) {
  return BOTH(f32x16, _mm256_min_ps(x.a, y.a), _mm256_min_ps(x.b, y.b));
}
INLINE f32x16 f_abs(f32x16 x) {
  __m256 sign = _mm256_set1_ps(-0.0f);
  return BOTH(f32x16, _mm256_andnot_ps(sign, x.a), _mm256_andnot_ps(sign, x.b));
}
INLINE f32x16 f_load_f16(const uint16_t* p) {
  return BOTH(f32x16, _mm256_cvtph_ps(_mm_loadu_si128((const __m128i*)p)),
      _mm256_cvtph_ps(_mm_loadu_si128((const __m128i*)(p + 8))));
}
INLINE void f_store_f16(uint16_t* p, f32x16 x) {
  _mm_storeu_si128((__m128i*)p, _mm256_cvtps_ph(x.a, _MM_FROUND_TO_NEAREST_INT));
  _mm_storeu_si128((__m128i*)(p + 8), _mm256_cvtps_ph(x.b, _MM_FROUND_TO_NEAREST_INT));
}
INLINE __m256 widen_bf16(const uint16_t* p) {
  __m256i x = _mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i*)p));
  return _mm256_castsi256_ps(_mm256_slli_epi32(x, 16));
}
INLINE f32x16 f_load_bf16(const uint16_t* p) {
  return BOTH(f32x16, widen_bf16(p), widen_bf16(p + 8));
}
INLINE __m256i round_bf16(__m256 x) {
  __m256i bits = _mm256_castps_si256(x);
  __m256i odd = _mm256_and_si256(_mm256_srli_epi32(bits, 16), _mm256_set1_epi32(1));
  bits = _mm256_add_epi32(bits, _mm256_add_epi32(odd, _mm256_set1_epi32(0x7fff)));
  return _mm256_srli_epi32(bits, 16);
}
INLINE void f_store_bf16(uint16_t* p, f32x16 x) {
  __m256i words = _mm256_packus_epi32(round_bf16(x.a), round_bf16(x.b));
  _mm256_storeu_si256((__m256i*)p, _mm256_permute4x64_epi64(words, 0xd8));
}
INLINE f32x16 f_load_u8(const uint8_t* p) {
  __m256i a = _mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i*)p));
  __m256i b = _mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i*)(p + 8)));
  return BOTH(f32x16, _mm256_cvtepi32_ps(a), _mm256_cvtepi32_ps(b));
}
INLINE f32x16 f_load_i8(const uint8_t* p) {
  __m256i a = _mm256_cvtepi8_epi32(_mm_loadl_epi64((const __m128i*)p));
  __m256i b = _mm256_cvtepi8_epi32(_mm_loadl_epi64((const __m128i*)(p + 8)));
  return BOTH(f32x16, _mm256_cvtepi32_ps(a), _mm256_cvtepi32_ps(b));
}
INLINE f32x16 f_from_i(i32x16 x) {
  return BOTH(f32x16, _mm256_cvtepi32_ps(x.a), _mm256_cvtepi32_ps(x.b));
}
INLINE i32x16 i_round(f32x16 x) {
  return BOTH(i32x16, _mm256_cvtps_epi32(x.a), _mm256_cvtps_epi32(x.b));
}
INLINE i32x16 i_set(int32_t x) {
  return BOTH(i32x16, _mm256_set1_epi32(x), _mm256_set1_epi32(x));
}
INLINE i32x16 i_add(i32x16 x, i32x16 y) {
  return BOTH(i32x16, _mm256_add_epi32(x.a, y.a), _mm256_add_epi32(x.b, y.b));
}
INLINE i32x16 i_sub(i32x16 x, i32x16 y) {
  return BOTH(i32x16, _mm256_sub_epi32(x.a, y.a), _mm256_sub_epi32(x.b, y.b));
}
INLINE i32x16 i_shift_left(i32x16 x, int bits) {
  return BOTH(i32x16, _mm256_slli_epi32(x.a, bits), _mm256_slli_epi32(x.b, bits));
}
INLINE i32x16 i_high_halves(i32x16 x) {
  __m256i mask = _mm256_set1_epi32((int32_t)0xffff0000);
  return BOTH(i32x16, _mm256_and_si256(x.a, mask), _mm256_and_si256(x.b, mask));
}
INLINE f32x16 f_of_bits(i32x16 x) {
  return BOTH(f32x16, _mm256_castsi256_ps(x.a), _mm256_castsi256_ps(x.b));
}
INLINE i32x16 i_multiply_16(i32x16 x, i32x16 y) {
  return BOTH(i32x16, _mm256_mullo_epi16(x.a, y.a), _mm256_mullo_epi16(x.b, y.b));
}
INLINE i32x16 i_multiply(i32x16 x, i32x16 y) {
  return BOTH(i32x16, _mm256_mullo_epi32(x.a, y.a), _mm256_mullo_epi32(x.b, y.b));
}
INLINE i32x16 i_load_u8(const uint8_t* p) {
  return BOTH(i32x16, _mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i*)p)),
      _mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i*)(p + 8))));
}
INLINE i32x16 i_load(const void* p) {
  return BOTH(i32x16, _mm256_loadu_si256(p), _mm256_loadu_si256((const __m256i*)p + 1));
}
INLINE void i_store(void* p, i32x16 x) {
  _mm256_storeu_si256(p, x.a);
  _mm256_storeu_si256((__m256i*)p + 1, x.b);
}
INLINE __m256i low_nibbles(__m256i x) { return _mm256_and_si256(x, _mm256_set1_epi8(15)); }
INLINE i32x16 i_low_nibbles(i32x16 x) {
  return BOTH(i32x16, low_nibbles(x.a), low_nibbles(x.b));
}
INLINE i32x16 i_high_nibbles(i32x16 x) {
  return BOTH(i32x16, low_nibbles(_mm256_srli_epi16(x.a, 4)),
      low_nibbles(_mm256_srli_epi16(x.b, 4)));
}
INLINE i32x16 i_or(i32x16 x, i32x16 y) {
  return BOTH(i32x16, _mm256_or_si256(x.a, y.a), _mm256_or_si256(x.b, y.b));
}
INLINE __m256i bits_above_nibble(__m256i x, int bits, int from) {
  x = from < 4 ? _mm256_slli_epi16(x, 4 - from) : _mm256_srli_epi16(x, from - 4);
  return _mm256_and_si256(x, _mm256_set1_epi8(bits == 1 ? 0x10 : 0x30));
}
INLINE i32x16 i_high_bits(i32x16 x, int bits, int from) {
  return BOTH(i32x16, bits_above_nibble(x.a, bits, from), bits_above_nibble(x.b, bits, from));
}
INLINE i32x16 i_shift_halves_right(i32x16 x, int bits) {
  return BOTH(i32x16, _mm256_srli_epi16(x.a, bits), _mm256_srli_epi16(x.b, bits));
}
// Of each 16-bit half, the dot product of its 2 unsigned bytes with the same 2 signed bytes of 4 for
// all lanes. It must stay within 16 bits: vpmaddubsw saturates.
INLINE i32x16 i_pairs(i32x16 weights, const int8_t* values) {
  __m256i v = _mm256_set1_epi32(*(const int32_t*)values);
  return BOTH(i32x16, _mm256_maddubs_epi16(weights.a, v), _mm256_maddubs_epi16(weights.b, v));
}
// The same of signed bytes and values from -127 on: 128 * 127 * 2 fits.
INLINE __m256i signed_pairs(__m256i weights, __m256i values) {
  return _mm256_maddubs_epi16(_mm256_abs_epi8(weights), _mm256_sign_epi8(values, weights));
}
INLINE i32x16 i_signed_pairs(i32x16 weights, const int8_t* values) {
  __m256i v = _mm256_set1_epi32(*(const int32_t*)values);
  return BOTH(i32x16, signed_pairs(weights.a, v), signed_pairs(weights.b, v));
}
INLINE i32x16 i_add_halves(i32x16 x, i32x16 y) {
  return BOTH(i32x16, _mm256_add_epi16(x.a, y.a), _mm256_add_epi16(x.b, y.b));
}
// acc + both halves of a lane.
INLINE i32x16 i_add_pairs(i32x16 acc, i32x16 pairs) {
  __m256i ones = _mm256_set1_epi16(1);
  return BOTH(i32x16, _mm256_add_epi32(acc.a, _mm256_madd_epi16(pairs.a, ones)),
      _mm256_add_epi32(acc.b, _mm256_madd_epi16(pairs.b, ones)));
}
// Of bytes, unsigned with a zero of 128 to signed.
INLINE i32x16 i_signed(i32x16 x) {
  __m256i zero = _mm256_set1_epi8((char)128);
  return BOTH(i32x16, _mm256_xor_si256(x.a, zero), _mm256_xor_si256(x.b, zero));
}
INLINE void i_store_i8(int8_t* p, i32x16 x) {
  __m256i words = _mm256_packs_epi32(x.a, x.b);
  words = _mm256_permute4x64_epi64(words, 0xd8);
  __m128i bytes = _mm_packs_epi16(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1));
  _mm_storeu_si128((__m128i*)p, bytes);
}
INLINE i32x16 i_shift_right(i32x16 x, int bits) {
  return BOTH(i32x16, _mm256_srai_epi32(x.a, bits), _mm256_srai_epi32(x.b, bits));
}
// Of the 16-bit halves of lanes: the low byte, the high one, and the four nibbles from the lowest.
INLINE i32x16 i_low_bytes(i32x16 x) {
  __m256i mask = _mm256_set1_epi16(255);
  return BOTH(i32x16, _mm256_and_si256(x.a, mask), _mm256_and_si256(x.b, mask));
}
INLINE i32x16 i_high_bytes(i32x16 x) {
  return BOTH(i32x16, _mm256_srli_epi16(x.a, 8), _mm256_srli_epi16(x.b, 8));
}
INLINE __m256i nibble(__m256i x, int index) {
  x = index > 0 ? _mm256_srli_epi16(x, 4 * index) : x;
  return index < 3 ? _mm256_and_si256(x, _mm256_set1_epi16(15)) : x;
}
INLINE i32x16 i_nibble(i32x16 x, int index) {
  return BOTH(i32x16, nibble(x.a, index), nibble(x.b, index));
}
// acc + the dot product of a lane's two 16-bit halves with the same two values for all lanes.
INLINE i32x16 i_dot_pair(i32x16 acc, i32x16 weights, const int16_t* values) {
  int32_t pair;
  __builtin_memcpy(&pair, values, sizeof(pair));
  __m256i v = _mm256_set1_epi32(pair);
  return BOTH(i32x16, _mm256_add_epi32(acc.a, _mm256_madd_epi16(weights.a, v)),
      _mm256_add_epi32(acc.b, _mm256_madd_epi16(weights.b, v)));
}
// Of values that stay within 16 bits as sums of two.
INLINE int32_t sum_of_32(const int16_t* values) {
  __m256i a = _mm256_loadu_si256((const __m256i*)values);
  __m256i b = _mm256_loadu_si256((const __m256i*)values + 1);
  __m256i pairs = _mm256_madd_epi16(_mm256_add_epi16(a, b), _mm256_set1_epi16(1));
  __m128i four = _mm_add_epi32(_mm256_castsi256_si128(pairs), _mm256_extracti128_si256(pairs, 1));
  four = _mm_add_epi32(four, _mm_shuffle_epi32(four, 0x4e));
  return _mm_cvtsi128_si32(_mm_add_epi32(four, _mm_shuffle_epi32(four, 0xb1)));
}
// Lanes within 16 bits, of each four 0 2 1 3.
INLINE void i_store_split_quads(int16_t* p, i32x16 x) {
  __m256i words = _mm256_permute4x64_epi64(_mm256_packs_epi32(x.a, x.b), 0xd8);
  words = _mm256_shufflehi_epi16(_mm256_shufflelo_epi16(words, 0xd8), 0xd8);
  _mm256_storeu_si256((__m256i*)p, words);
}
INLINE void add_to_doubles(double* at, __m128i x) {
  _mm256_storeu_pd(at, _mm256_add_pd(_mm256_loadu_pd(at), _mm256_cvtepi32_pd(x)));
}
// at[lane] += x[lane], exact.
INLINE void i_add_to_doubles(double* at, i32x16 x) {
  add_to_doubles(at, _mm256_castsi256_si128(x.a));
  add_to_doubles(at + 4, _mm256_extracti128_si256(x.a, 1));
  add_to_doubles(at + 8, _mm256_castsi256_si128(x.b));
  add_to_doubles(at + 12, _mm256_extracti128_si256(x.b, 1));
}
INLINE __m256 eight_doubles(const double* at, double x) {
  __m128 low = _mm256_cvtpd_ps(_mm256_sub_pd(_mm256_loadu_pd(at), _mm256_set1_pd(x)));
  __m128 high = _mm256_cvtpd_ps(_mm256_sub_pd(_mm256_loadu_pd(at + 4), _mm256_set1_pd(x)));
  return _mm256_set_m128(high, low);
}
// at[lane] - x, rounded once.
INLINE f32x16 f_from_doubles(const double* at, double x) {
  return BOTH(f32x16, eight_doubles(at, x), eight_doubles(at + 8, x));
}
INLINE __m256 scale(__m256 x, __m256i n) {
  return _mm256_castsi256_ps(
      _mm256_add_epi32(_mm256_castps_si256(x), _mm256_slli_epi32(n, 23)));
}
INLINE f32x16 f_scale(f32x16 x, i32x16 n) {
  return BOTH(f32x16, scale(x.a, n.a), scale(x.b, n.b));
}
INLINE __m256 within(__m256 x, int from, int until, __m256 other) {
  __m256i lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
  __m256i below = _mm256_cmpgt_epi32(_mm256_set1_epi32(until), lane);
  __m256i before = _mm256_cmpgt_epi32(_mm256_set1_epi32(from), lane);
  return _mm256_blendv_ps(other, x, _mm256_castsi256_ps(_mm256_andnot_si256(before, below)));
}
INLINE int clamp_lane(int64_t lane) { return lane < 0 ? 0 : lane > LANES ? LANES : (int)lane; }
INLINE f32x16 f_within(f32x16 x, int64_t from, int64_t until, f32x16 other) {
  int first = clamp_lane(from), last = clamp_lane(until);
  return BOTH(f32x16, within(x.a, first, last, other.a),
      within(x.b, first - 8, last - 8, other.b));
}
INLINE f32x16 f_zero_where_less(f32x16 x, f32x16 y, f32x16 limit) {
  return BOTH(f32x16, _mm256_and_ps(x.a, _mm256_cmp_ps(y.a, limit.a, _CMP_NLT_UQ)),
      _mm256_and_ps(x.b, _mm256_cmp_ps(y.b, limit.b, _CMP_NLT_UQ)));
}
INLINE __m256 fold_low(f32x16 x) { return x.a; }
INLINE __m256 fold_high(f32x16 x) { return x.b; }

#endif

INLINE f32x16 f_zero(void) { return f_set(0); }

// Sums lanes i and i+8, then i and i+4, i+2, i+1: one order everywhere.
INLINE float f_sum(f32x16 x) {
  __m256 eight = _mm256_add_ps(fold_low(x), fold_high(x));
  __m128 four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
  __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_add_ss(two, _mm_shuffle_ps(two, two, 1)));
}

INLINE float f_highest(f32x16 x) {
  __m256 eight = _mm256_max_ps(fold_low(x), fold_high(x));
  __m128 four = _mm_max_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
  __m128 two = _mm_max_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_max_ss(two, _mm_shuffle_ps(two, two, 1)));
}

// e^x to about 2 ulp; 0 below -87.3, where results would be subnormal; exactly 1 at 0.
INLINE f32x16 f_exp(f32x16 x) {
  f32x16 bounded = f_min(f_max(x, f_set(-87.3f)), f_set(88.0f));
  i32x16 n = i_round(f_mul(bounded, f_set(1.44269504f)));
  f32x16 whole = f_from_i(n);
  f32x16 r = f_fma(whole, f_set(-0.693359375f), bounded);
  r = f_fma(whole, f_set(2.12194440e-4f), r);
  f32x16 p = f_set(1.9875691500e-4f);
  p = f_fma(p, r, f_set(1.3981999507e-3f));
  p = f_fma(p, r, f_set(8.3334519073e-3f));
  p = f_fma(p, r, f_set(4.1665795894e-2f));
  p = f_fma(p, r, f_set(1.6666665459e-1f));
  p = f_fma(p, r, f_set(5.0000001201e-1f));
  p = f_fma(p, f_mul(r, r), f_add(r, f_set(1)));
  return f_zero_where_less(f_scale(p, n), x, f_set(-87.3f));
}

// x / (1 + e^-x)
INLINE f32x16 f_silu(f32x16 x) {
  f32x16 e = f_exp(f_sub(f_zero(), x));
  return f_div(x, f_add(f_set(1), e));
}

// x/2 (1 + tanh(y)) = x / (1 + e^-2y) with y = sqrt(2/pi) (x + 0.044715 x^3)
INLINE f32x16 f_gelu_tanh(f32x16 x) {
  f32x16 inner = f_fma(f_mul(x, x), f_set(0.044715f), f_set(1));
  f32x16 y = f_mul(f_mul(x, inner), f_set(-1.5957691216f));
  return f_div(x, f_add(f_set(1), f_exp(y)));
}

// x/2 (1 + erf(x / sqrt 2)); erf as a rational function in x^2, good to a few ulp on [-4, 4],
// beyond which it is 1 in float.
INLINE f32x16 f_gelu_erf(f32x16 x) {
  f32x16 z = f_mul(x, f_set(0.70710678f));
  z = f_max(f_min(z, f_set(4)), f_set(-4));
  f32x16 s = f_mul(z, z);
  f32x16 p = f_set(-2.72614225801306e-10f);
  p = f_fma(p, s, f_set(2.77068142495902e-08f));
  p = f_fma(p, s, f_set(-2.10102402082508e-06f));
  p = f_fma(p, s, f_set(-5.69250639462346e-05f));
  p = f_fma(p, s, f_set(-7.34990630326855e-04f));
  p = f_fma(p, s, f_set(-2.95459980854025e-03f));
  p = f_fma(p, s, f_set(-1.60960333262415e-02f));
  f32x16 q = f_set(-1.45660718464996e-05f);
  q = f_fma(q, s, f_set(-2.13374055278905e-04f));
  q = f_fma(q, s, f_set(-1.68282697438203e-03f));
  q = f_fma(q, s, f_set(-7.37332916720468e-03f));
  q = f_fma(q, s, f_set(-1.42647390514189e-02f));
  f32x16 erf = f_div(f_mul(z, p), q);
  return f_mul(f_mul(x, f_set(0.5f)), f_add(erf, f_set(1)));
}

#endif
